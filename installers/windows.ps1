# ZeroStem onto Windows, for you alone: an environment of its own, the command, the daemon at logon, your DAWs.
#   powershell -ExecutionPolicy Bypass -File installers\windows.ps1 [reaper] [ardour] [audacity] [--no-service]    (or --uninstall)
# ZEROSTEM_APP: where to (default %LOCALAPPDATA%\zerostem-app). PYTHON: 3.11 or newer. ZEROSTEM_WHEEL: instead of this folder.
$ErrorActionPreference = 'Stop'
$here = Split-Path -Parent $PSScriptRoot
$app = if ($env:ZEROSTEM_APP) { $env:ZEROSTEM_APP } else { Join-Path $env:LOCALAPPDATA 'zerostem-app' }
$python = if ($env:PYTHON) { $env:PYTHON } else { 'python' }
$what = if ($env:ZEROSTEM_WHEEL) { $env:ZEROSTEM_WHEEL } else { $here }
$own = Join-Path $app 'Scripts\python.exe'
$mark = Join-Path $app 'zerostem-app'   # what --uninstall takes for ours

if ($args -contains '--uninstall') {
    if (-not (Test-Path $mark)) { Write-Error "Nothing is installed at $app."; exit 1 }
    & $own -P -m installers.windows @args
    if ($LASTEXITCODE -eq 0) { Remove-Item -Recurse -Force $app }
    exit $LASTEXITCODE
}

& $python -c 'import sys; sys.exit(sys.version_info < (3, 11))'
if ($LASTEXITCODE -ne 0) { Write-Error "$python is older than 3.11, or missing. Install a newer one, or set PYTHON."; exit 1 }
if ((Test-Path $app) -and -not (Test-Path $mark)) { Write-Error "$app is in the way. Move it away."; exit 1 }
if (-not (Test-Path $mark)) { New-Item -ItemType File -Force $mark | Out-Null }
if (-not (Test-Path $own)) { & $python -m venv $app }
$options = if ($env:ZEROSTEM_PIP) { $env:ZEROSTEM_PIP -split ' ' } else { @() }
& $own -m pip install --quiet @options -c (Join-Path $here 'constraints.txt') "${what}[panel]"
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
& $own -P -m installers.windows @args
exit $LASTEXITCODE
