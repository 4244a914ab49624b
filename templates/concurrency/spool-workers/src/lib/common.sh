# Where everything is. SPOOL may name another spool directory.

SPOOL=${SPOOL:-$here/spool}
MAX={{ max }}
tab=$(printf '\t')

for place in incoming active done failed results tries tmp locks; do
    if [ ! -d "$SPOOL/$place" ]; then mkdir -p "$SPOOL/$place"; fi
done
