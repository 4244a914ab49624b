DROP TRIGGER settled;
INSERT INTO attic SELECT 6, id, 'status', status FROM orders WHERE status <> 'open';
ALTER TABLE orders DROP COLUMN status;
