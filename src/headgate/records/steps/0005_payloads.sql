ALTER TABLE requests ADD COLUMN data_class TEXT;
CREATE TABLE payloads (
    number $NUMBER PRIMARY KEY,
    id $ASCII NOT NULL,
    time DOUBLE PRECISION NOT NULL,
    team TEXT,
    data_class TEXT,
    kept TEXT NOT NULL,
    size BIGINT NOT NULL,
    "key" TEXT,
    body $BYTES NOT NULL
);
CREATE UNIQUE INDEX payloads_by_id ON payloads (id);
CREATE INDEX payloads_by_time ON payloads (time);
CREATE INDEX payloads_by_team ON payloads (team, time) WHERE team IS NOT NULL;
CREATE INDEX payloads_by_data_class ON payloads (data_class, time) WHERE data_class IS NOT NULL;
CREATE TABLE payload_keys (id $ASCII PRIMARY KEY, sealed TEXT NOT NULL);
$PAYLOAD_WORDS
