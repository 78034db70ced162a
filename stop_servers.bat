@echo off
rem Stops Prescient on Windows: this product's processes and no other.
setlocal
cd /d "%~dp0"
.venv\Scripts\prescient.exe down %*
exit /b %ERRORLEVEL%
