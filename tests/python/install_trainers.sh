#!/bin/sh
# Installs trainers of others into a directory: install_trainers.sh DIRECTORY PIP
#
# PyTorch's packages on PyPI are those for graphics cards, of 3 GB and more. So Python and PyTorch are
# Debian 13's, for processors alone, unpacked into DIRECTORY/root. Nothing of it runs but Python, by its own
# loader, so the host may be an older Debian. The trainers are PyPI's, pinned. Those that want different
# versions of one package lie apart.
set -eu
directory=$1
pip=$2
here=$(dirname "$0")
lists=$(cat "$0" "$here"/trainers-*.txt | sha256sum)
if [ "$(cat "$directory/complete" 2>/dev/null)" = "$lists" ]; then
  exit 0
fi
rm -rf "$directory"
mkdir -p "$directory"
mmdebstrap --quiet --variant=extract --include=python3-torch,python3-torchaudio trixie "$directory/root" &
unpacking=$!
# What each trainer wants besides is there or is not needed for reading data.
install() {
  "$pip" install --quiet --disable-pip-version-check --no-compile --no-deps --ignore-requires-python \
    --python-version "$1" --target "$directory/$2" -r "$here/trainers-$2.txt"
}
for set in base trl verl llamafactory; do
  install 3.13 "$set"
done
install 3.11 openrlhf
wait "$unpacking"
cd "$directory/root/usr"
rm -rf share lib/libtorch-test
lib=lib/x86_64-linux-gnu
# Extensions of others ask for PyTorch's libraries by the names that PyPI's package has.
for name in c10 torch torch_cpu torch_python; do
  ln -s "lib$name.so.2.6" "$lib/lib$name.so"
done
cat > "$directory/python" <<'PYTHON'
#!/bin/sh
# Runs Debian's Python of this directory.
root=$(dirname "$0")/root/usr
lib=$root/lib/x86_64-linux-gnu
export PYTHONHOME="$root" PYTHONDONTWRITEBYTECODE=1
exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib:$root/lib:$lib/blas:$lib/lapack" "$root/bin/python3.13" "$@"
PYTHON
chmod +x "$directory/python"
# The last thing that is made: a directory without it is half made, and one of other lists is old.
printf '%s\n' "$lists" > "$directory/complete"
