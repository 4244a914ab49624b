# Prints the sum of all prices.
sum=0
while read -r name price; do
  sum=$((sum + price))
done < prices.txt
echo "$sum"
