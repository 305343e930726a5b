@echo off
rem Called by the scripts beside it. set_up.bat [--dev] makes or mends the environment: it finds a Python, setup_env.py does the rest.
setlocal DisableDelayedExpansion
rem "py" is the launcher that Python installs. Alone it takes the newest Python, which may be one that PyTorch has no packages for;
rem so it is asked for each that will do, newest first, and is not to fetch one: the one that is there may come later in this list.
rem "python" may be the stub that only names the Microsoft Store: it fails (9009), and the next one is tried, then all of the PATH,
rem which that stub may stand in front of, and where Python's installer puts it.
set "FETCH=%PYTHON_MANAGER_AUTOMATIC_INSTALL%"
set "PYTHON_MANAGER_AUTOMATIC_INSTALL=false"
set "PYLAUNCHER_ALLOW_INSTALL="
set "PYTHON="
set "NEWER="
set "OLDER="
set "SHORT="
for %%P in ("py -3.14" "py -3.13" "py -3.12" "py -3.11" "py -3" "python" "python3") do call :try %%~P
if not defined PYTHON for %%D in ("%PATH:;=" "%") do if exist "%%~D\python.exe" call :try "%%~D\python.exe"
for %%V in (314 313 312 311) do call :installed "%LOCALAPPDATA%\Programs\Python\Python%%V" "%ProgramFiles%\Python%%V"
rem Last, the launcher may fetch one, where its owner has not forbidden that.
set "PYTHON_MANAGER_AUTOMATIC_INSTALL=%FETCH%"
for %%P in ("py -3.13") do call :try %%~P
if defined PYTHON goto :found
echo set-up: Python 3.11, 3.12, 3.13 or 3.14 is needed, 64-bit; none was found. 1>&2
if defined NEWER echo set-up: %NEWER% is newer than that: PyTorch has no packages for it yet. Another can be installed beside it. 1>&2
if defined OLDER echo set-up: %OLDER% is older than that. 1>&2
if defined SHORT echo set-up: %SHORT% is a 32-bit one. 1>&2
echo set-up: Get it from https://www.python.org/downloads/windows/ ("Windows installer (64-bit)", with "Add python.exe to PATH" 1>&2
echo set-up: ticked), or with the command: winget install Python.Python.3.13 1>&2
echo set-up: Then close this window and start again. "python" alone may only open the Microsoft Store: that is no Python. 1>&2
echo instalare: Este nevoie de Python 3.11, 3.12, 3.13 sau 3.14, 64-bit; niciunul nu este instalat. 1>&2
if defined NEWER echo instalare: %NEWER% este prea nou: PyTorch nu are pachete pentru el. Alt Python poate sta alaturi. 1>&2
if defined OLDER echo instalare: %OLDER% este prea vechi. 1>&2
if defined SHORT echo instalare: %SHORT% este pe 32 de biti. 1>&2
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

rem 0: it will do; 115: too new; 110: too old; 132: 32-bit. Anything else: that is no Python.
:try
if defined PYTHON exit /b
%* -c "import sys; v = sys.version_info[:2]; sys.exit(115 if v >= (3, 15) else 110 if v < (3, 11) else 0 if sys.maxsize > 2**32 else 132)" >nul 2>nul
if "%ERRORLEVEL%"=="0" set "PYTHON=%*"
if "%ERRORLEVEL%"=="115" set "NEWER=%*"
if "%ERRORLEVEL%"=="110" set "OLDER=%*"
if "%ERRORLEVEL%"=="132" set "SHORT=%*"
exit /b
