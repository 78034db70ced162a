@echo off
rem Starts Prescient on Windows. Everything it does is in tools\bootstrap.py and `prescient up`.
setlocal
cd /d "%~dp0"
set "PYTHON="
rem Not whatever is newest: coincurve has no wheel for Python 3.14.
for %%P in ("py -3.13" "py -3.12" "py -3.11" "python" "python3") do (
    if not defined PYTHON %%~P -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" >nul 2>&1 && set "PYTHON=%%~P"
)
if not defined PYTHON (
    echo Prescient needs Python 3.11, 3.12 or 3.13 ^(not 3.14: coincurve, which signs orders, has no package for it yet^).
    echo Install one from https://www.python.org/downloads/ and run this again.
    pause
    exit /b 1
)
%PYTHON% tools\bootstrap.py
if errorlevel 1 (
    pause
    exit /b 1
)
set "OPTIONS=--open"
set "MODE=n"
set /p "MODE=Start in debug mode? (y/n) [n]: "
if /i "%MODE%"=="y" set "OPTIONS=--open --debug"
set "SOURCE="
if "%~1"=="" set /p "SOURCE=Markets from the practice exchange or from Polymarket? (practice/polymarket) [practice, or what .env says]: "
if /i "%SOURCE%"=="practice" set "OPTIONS=%OPTIONS% --venue practice"
if /i "%SOURCE%"=="polymarket" set "OPTIONS=%OPTIONS% --venue polymarket"
.venv\Scripts\prescient.exe up %OPTIONS% %*
set "CODE=%ERRORLEVEL%"
rem Started by a double click, the window would close with its message.
if not "%CODE%"=="0" pause
exit /b %CODE%
