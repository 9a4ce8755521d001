# Parts of build-image: Debian's packages, and roots made of the few files in them that a program needs.

# The packages and all libraries that they depend on, as NAME=VERSION. What they depend on besides libraries is for
# installing and administering them.
closure() {
  local frontier=("$@") names=("$@") found
  while [ "${#frontier[@]}" -gt 0 ]; do
    # Of alternatives (marked with |) the first.
    mapfile -t found < <(apt-cache depends --important "${frontier[@]}" |
      awk '/Depends: / { if (!isOther && $2 ~ /^(lib|zlib)/) print $2; isOther = /\|/ }' | sort -u)
    mapfile -t frontier < <(comm -23 <(printf '%s\n' "${found[@]}") <(printf '%s\n' "${names[@]}" | sort -u) | grep .)
    names+=("${frontier[@]}")
  done
  versions "${names[@]}"
}

# NAME=VERSION of what apt would install.
versions() {
  apt-cache show --no-all-versions "$@" |
    awk '/^Package: / { name = $2 } /^Version: / { print name "=" $2 }' | sort -u | grep . ||
    die "apt does not know $*: run apt-get update"
}

# What an image is made of, in one word: packages and this script.
fingerprint() {
  { printf '%s\n' "$@"; cat "$0" "$parts"/*; } | sha256sum | cut -c 1-16
}

# Downloads NAME=VERSION... into the folder $1.
download() {
  mkdir -p "$1"
  (
    cd "$1"
    shift
    # Without apt's own user, which cannot write here.
    apt-get -qq -o APT::Sandbox::User=root download "$@" 2>apt.log || die "apt-get download failed: $(tail -n 1 apt.log)"
    rm apt.log
  )
}

# Unpacks all packages of folder $1 into folder $2.
unpack() {
  local package
  for package in "$1"/*.deb; do dpkg-deb --extract "$package" "$2"; done
}

# Copies the program $3 and the libraries that it loads from the root $1 to the same places in the root $2.
install_program() {
  local from=$1 to=$2 program=$3 loader file listed foreign
  loader=$(cd "$from" && echo lib*/ld-linux*.so.*)
  listed=$("$from/$loader" --inhibit-cache --library-path "$(printf '%s:' "$from"/lib/*-linux-gnu "$from"/usr/lib/*-linux-gnu)" \
    --list "$from$program") || die "$program cannot be loaded with the libraries of its packages: $listed"
  # What the packages lack, the loader finds on this machine.
  foreign=$(awk -v root="$from/" '$2 == "=>" && index($3, root) != 1 { print $1 }' <<< "$listed")
  [ -z "$foreign" ] || die "$program needs $foreign, which none of its packages has"
  for file in "$program" $(awk -v root="$from" '$2 == "=>" { print substr($3, length(root) + 1) }' <<< "$listed"); do
    install -D "$from$file" "$to$file"
  done
  install -D "$from/$loader" "$to/$loader"
}
