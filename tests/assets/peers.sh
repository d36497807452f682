echo "virtme-ng failed: not there yet"
