ALTER TABLE orders ADD COLUMN status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid', 'void'));
UPDATE orders SET status = (SELECT value FROM attic WHERE version = 6 AND attic.id = orders.id)
    WHERE id IN (SELECT id FROM attic WHERE version = 6);
DELETE FROM attic WHERE version = 6;
CREATE TRIGGER settled BEFORE UPDATE OF cents ON orders WHEN old.status <> 'open'
BEGIN
    SELECT RAISE(ABORT, 'this order is settled');
END;
