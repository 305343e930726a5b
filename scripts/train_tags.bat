@echo off
rem get-tags train, with the arguments given; without any (a double-click), the wizard. Makes the environment on first use.
setlocal
set "PYTHONUTF8=1"

call "%~dp0set_up.bat"
if not "%ERRORLEVEL%"=="0" goto :end
rem -P: a datasets or tokenizers folder where the user stands must not be taken for the library.
"%~dp0..\.venv\Scripts\python.exe" -P -m get_tags_train train %*

:end
set "CODE=%ERRORLEVEL%"
call :keep_open
exit /b %CODE%

rem A double-click runs: cmd.exe /c ""C:\...\train_tags.bat" ". Nothing else leaves that blank before the last quote. Only then
rem does the window belong to this script, and would close before anyone has read the result.
:keep_open
setlocal EnableDelayedExpansion
if "!cmdcmdline:~-2,1!"==" " pause
exit /b
