CREATE TABLE audit_chain (
    number BIGINT PRIMARY KEY,
    time BIGINT NOT NULL,
    kind TEXT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_chain_by_place ON audit_chain (first, last);
CREATE TABLE audit_checkpoints (
    sequence BIGINT PRIMARY KEY,
    number BIGINT NOT NULL,
    time BIGINT NOT NULL,
    hash TEXT NOT NULL,
    key TEXT NOT NULL,
    signature TEXT NOT NULL
);
CREATE TABLE audit_purging (number BIGINT PRIMARY KEY);
CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY,
    public TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL
);
$AUDIT_KEPT
$AUDIT_CHAIN_KEPT
$AUDIT_CHECKPOINTS_KEPT
