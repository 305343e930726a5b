@echo off
rem get-tags train, with the arguments given; without any (a double-click), the wizard. Makes the environment on first use.
rem It may be copied anywhere, to the Desktop for example: set-up notes where the repository is, and the copy goes there.
rem What it says itself is in both languages, in Romanian words whose letters every code page has.
setlocal DisableDelayedExpansion
set "PYTHONUTF8=1"
if exist "%~dp0setup_env.py" goto :in_the_repository

if exist "%GET_TAGS_REPOSITORY%\scripts\setup_env.py" goto :found
echo Where is get-tags-train? Drag its folder into this window (or type where it is), then press Enter.
echo Unde este get-tags-train? Folderul lui se trage peste fereastra aceasta (sau se scrie calea lui), apoi Enter.
set "GET_TAGS_REPOSITORY="
set /p "GET_TAGS_REPOSITORY=Folder: "
if not defined GET_TAGS_REPOSITORY goto :nowhere
set "GET_TAGS_REPOSITORY=%GET_TAGS_REPOSITORY:"=%"
if not exist "%GET_TAGS_REPOSITORY%\scripts\setup_env.py" goto :nowhere
:found
rem Without "call", which would expand the arguments once more; so this line is the last that runs here.
"%GET_TAGS_REPOSITORY%\scripts\train_tags.bat" %*

:nowhere
echo train_tags: this is a copy, and there is no get-tags-train in the folder given ("%GET_TAGS_REPOSITORY%"). 1>&2
echo train_tags: Run scripts\train_tags.bat in the repository once; then its copies know where it is. 1>&2
echo train_tags: Aceasta este o copie, iar folderul dat nu este cel al get-tags-train. 1>&2
echo train_tags: scripts\train_tags.bat trebuie pornit din folderul get-tags-train; apoi copiile lui merg de oriunde. 1>&2
set "CODE=1"
goto :end

:in_the_repository
call "%~dp0set_up.bat"
set "CODE=%ERRORLEVEL%"
if not "%CODE%"=="0" goto :end
rem -P: a datasets or tokenizers folder where the user stands must not be taken for the library.
"%~dp0..\.venv\Scripts\python.exe" -P -m get_tags_train train %*
set "CODE=%ERRORLEVEL%"

:end
call :keep_open
exit /b %CODE%

rem A double-click runs: cmd.exe /c ""C:\...\train_tags.bat" ". Nothing else ends in that lone blank between quotes. Only then does
rem the window belong to this script, and would close before anyone has read the result.
:keep_open
set "LINE=%cmdcmdline:"='%"
if "%LINE:~-3%"=="' '" pause
exit /b
