ALTER TABLE orders ADD COLUMN amount TEXT NOT NULL DEFAULT '';
UPDATE orders SET amount = printf('%s%d.%02d', CASE WHEN cents < 0 THEN '-' ELSE '' END, abs(cents) / 100, abs(cents) % 100);
ALTER TABLE orders DROP COLUMN cents;
