CREATE TABLE sessions (
    digest TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    way TEXT NOT NULL,
    proof TEXT NOT NULL,
    claims TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    seen DOUBLE PRECISION NOT NULL,
    expires DOUBLE PRECISION NOT NULL,
    address TEXT,
    agent TEXT NOT NULL
);
CREATE INDEX sessions_by_name ON sessions (name, created);
CREATE TABLE codes (
    name TEXT PRIMARY KEY,
    step BIGINT NOT NULL
)
