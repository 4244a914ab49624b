# a small inbox with what is easily got wrong
mkdir -p '/tmp/h/in box' && cd '/tmp/h/in box' || exit 1
printf 'store;item;qty\nnorth east;green tea;5\nnorth;jam;9\nnorth;jam;1\nsouth;tea;9\n;;\nnorth;oat milk;10' > 'a  b [1].txt'
printf 'store;item;qty\n' > 'empty (2).txt'
printf 'store;item;qty' > 'headless.txt'
printf 'store;item;qty\nsouth side;bread;08\nsouth;bread;0\nsouth;bread; 1\n' > z.txt
