# Runs apt-get so that the packages start no service: a server would only take memory, and perhaps a port.
# $0 is the policy file of Debian's tools; the words are apt-get's.
policy=$0
export DEBIAN_FRONTEND=noninteractive

# What starts services does nothing, in a view of the file system that ends with this process, whatever ends it.
tools=''
for tool in /usr/sbin/invoke-rc.d /usr/bin/deb-systemd-invoke; do
    [ -e $tool ] && tools="$tools $tool"
done
hide='for tool in $0; do mount --bind /bin/true $tool || exit 1; done; exec "$@"'
if [ -n "$tools" ] && unshare -m sh -c "$hide" "$tools" true 2> /dev/null; then
    exec unshare -m sh -c "$hide" "$tools" apt-get "$@"
fi

# Where that is not allowed, as in most containers: a policy that forbids, as long as this process lives. After that it removes itself and permits.
if grep -qs '^# testenv:' "$policy"; then "$policy"; fi
if ! [ -e "$policy" ]; then
    born=$(cut -d ' ' -f 22 /proc/$$/stat)
    trap 'rm -f "$policy" "$policy.$$"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    cat > "$policy.$$" << END
#!/bin/sh
# testenv: \`testenv setup --install\` is installing packages, and none of them is to start a service meanwhile.
if [ "\$(cut -d ' ' -f 22 /proc/$$/stat 2> /dev/null)" = $born ]; then exit 101; fi
rm -f "\$0"
exit 0
END
    chmod 755 "$policy.$$" && mv "$policy.$$" "$policy"
fi
apt-get "$@"
