@echo off
rem Starts Prescient on Windows. Everything it does is in tools\bootstrap.py and `prescient up`.
setlocal
cd /d "%~dp0"
set "PYTHON="
for %%P in ("py -3" "py -3.13" "py -3.12" "py -3.11" "python" "python3") do (
    if not defined PYTHON %%~P -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>&1 && set "PYTHON=%%~P"
)
if not defined PYTHON (
    echo Prescient needs Python 3.11 or newer. Install it from https://www.python.org/downloads/ and run this again.
    pause
    exit /b 1
)
%PYTHON% tools\bootstrap.py
if errorlevel 1 (
    pause
    exit /b 1
)
set "MODE=n"
set /p "MODE=Start in debug mode? (y/n) [n]: "
if /i "%MODE%"=="y" (
    .venv\Scripts\prescient.exe up --debug --open %*
) else (
    .venv\Scripts\prescient.exe up --open %*
)
set "CODE=%ERRORLEVEL%"
rem Started by a double click, the window would close with its message.
if not "%CODE%"=="0" pause
exit /b %CODE%
