CREATE TABLE record_chain (
    number $NUMBER PRIMARY KEY,
    time BIGINT NOT NULL,
    kind TEXT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL,
    digests $BYTES NOT NULL
);
CREATE INDEX record_chain_by_last ON record_chain (last);
CREATE TABLE record_checkpoints (
    sequence BIGINT PRIMARY KEY,
    number BIGINT NOT NULL,
    time BIGINT NOT NULL,
    hash TEXT NOT NULL,
    key TEXT NOT NULL,
    signature TEXT NOT NULL
);
CREATE TABLE record_purging (number BIGINT PRIMARY KEY);
$LINES_KEPT
$RECORD_CHAIN_KEPT
$RECORD_CHECKPOINTS_KEPT
