ALTER TABLE customers ADD COLUMN first TEXT NOT NULL DEFAULT '';
ALTER TABLE customers ADD COLUMN last TEXT NOT NULL DEFAULT '';
UPDATE customers SET first = substr(name, 1, max(instr(name, ' ') - 1, 0));
UPDATE customers SET first = (SELECT value FROM attic WHERE version = 3 AND attic.id = customers.id)
    WHERE EXISTS (SELECT 1 FROM attic WHERE version = 3 AND attic.id = customers.id AND field = name);
UPDATE customers SET last = CASE first WHEN '' THEN name ELSE substr(name, length(first) + 2) END;
DELETE FROM attic WHERE version = 3;
ALTER TABLE customers DROP COLUMN name;
