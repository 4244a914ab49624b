-- Digests come in no order: once the index was large, every call wrote, and often first read, a
-- page of its own. Only who replays looks a request up, and reads all of them once instead.
DROP INDEX call_by_request;
