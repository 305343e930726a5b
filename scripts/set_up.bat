@echo off
rem Called by the scripts beside it. set_up.bat [--dev] makes or mends the environment: it finds a Python, setup_env.py does the rest.
setlocal DisableDelayedExpansion
rem "py" is the launcher that Python installs; "python" may be the stub that only names the Microsoft Store: it fails (9009), and
rem the next one is tried, then all of the PATH, which that stub may stand in front of, and where Python's installer puts it.
rem The launcher's numbered forms may fetch a Python that is not there yet, so they come last.
set "PYTHON="
for %%P in ("py -3" "python" "python3") do call :try %%~P
if not defined PYTHON for %%D in ("%PATH:;=" "%") do if exist "%%~D\python.exe" call :try "%%~D\python.exe"
for %%V in (314 313 312 311) do call :installed "%LOCALAPPDATA%\Programs\Python\Python%%V" "%ProgramFiles%\Python%%V"
for %%P in ("py -3.14" "py -3.13" "py -3.12" "py -3.11") do call :try %%~P
if defined PYTHON goto :found
echo set-up: no Python 3.11 or newer, 64-bit, was found. 1>&2
echo set-up: Get it from https://www.python.org/downloads/windows/ ("Windows installer (64-bit)", with "Add python.exe to PATH" 1>&2
echo set-up: ticked), or with the command: winget install Python.Python.3.13 1>&2
echo set-up: Then close this window and start again. "python" alone may only open the Microsoft Store: that is no Python. 1>&2
echo instalare: Python 3.11 sau mai nou, 64-bit, nu este instalat. 1>&2
echo instalare: Se ia de la https://www.python.org/downloads/windows/ ("Windows installer (64-bit)", cu "Add python.exe to PATH" 1>&2
echo instalare: bifat), sau cu comanda: winget install Python.Python.3.13 1>&2
echo instalare: Apoi, un nou start din alt terminal. Simplul "python" poate deschide doar Microsoft Store: acela nu este Python. 1>&2
exit /b 1

:found
%PYTHON% "%~dp0setup_env.py" %*
exit /b %ERRORLEVEL%

:installed
for %%D in (%*) do if exist "%%~D\python.exe" call :try "%%~D\python.exe"
exit /b

:try
if defined PYTHON exit /b
%* -c "import sys; sys.exit(sys.version_info < (3, 11) or sys.maxsize < 2**32)" >nul 2>nul
if "%ERRORLEVEL%"=="0" set "PYTHON=%*"
exit /b
