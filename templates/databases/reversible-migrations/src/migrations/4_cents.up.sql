ALTER TABLE orders ADD COLUMN cents INTEGER NOT NULL DEFAULT 0;
UPDATE orders SET cents = CAST(replace(amount, '.', '') AS INTEGER);
ALTER TABLE orders DROP COLUMN amount;
