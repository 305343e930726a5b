@echo off
rem Called by the scripts beside it. set_up.bat [--dev] makes or mends the environment: it finds a Python, setup_env.py does the rest.
setlocal
if not exist "%~dp0setup_env.py" (
    echo set-up: this file works only in the scripts folder of the clone. On the desktop, put a shortcut to it instead of a copy. 1>&2
    exit /b 1
)
rem "py" is the launcher that Python installs; "python" may be the stub that only names the Microsoft Store: it fails, and the
rem next one is tried. The launcher's numbered forms may fetch a Python that is not there yet, so they come last.
set "PYTHON="
for %%P in ("py -3" "python" "python3" "py -3.13" "py -3.12" "py -3.11") do call :try %%~P
if not defined PYTHON (
    echo set-up: no Python 3.11 or newer was found. Install Python, then run this again. 1>&2
    exit /b 1
)
%PYTHON% "%~dp0setup_env.py" %*
exit /b %ERRORLEVEL%

:try
if defined PYTHON exit /b
%* -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>nul
if "%ERRORLEVEL%"=="0" set "PYTHON=%*"
exit /b
