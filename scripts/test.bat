@echo off
rem All checks, as CI runs them: check.py, with the development tools. Arguments go to pytest.
setlocal
set "PYTHONUTF8=1"

call "%~dp0set_up.bat" --dev
if not "%ERRORLEVEL%"=="0" exit /b 1
"%~dp0..\.venv\Scripts\python.exe" "%~dp0check.py" %*
exit /b %ERRORLEVEL%
