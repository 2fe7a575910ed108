ALTER TABLE requests ADD COLUMN trace TEXT;
CREATE INDEX requests_by_trace ON requests (trace, time) WHERE trace IS NOT NULL
