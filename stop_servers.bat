@echo off
rem Stops Prescient on Windows: this product's processes and no other.
setlocal
cd /d "%~dp0"
if exist .venv\Scripts\prescient.exe (
    .venv\Scripts\prescient.exe down %*
) else (
    echo Prescient was never set up in this folder, so nothing runs from it.
)
set "CODE=%ERRORLEVEL%"
rem A double click starts cmd with /c, and the window would close with its message: it stays for 30 seconds or until a key.
setlocal EnableDelayedExpansion
set "LINE=!CMDCMDLINE:"=!"
if not "!LINE:/c =!"=="!LINE!" timeout /t 30
exit /b %CODE%
