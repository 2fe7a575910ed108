CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE questions (
    key BYTEA PRIMARY KEY,
    context BYTEA NOT NULL,
    vector VECTOR NOT NULL,
    until DOUBLE PRECISION NOT NULL
);
ALTER TABLE questions ALTER COLUMN vector SET STORAGE MAIN;
CREATE INDEX questions_by_context ON questions (context);
CREATE INDEX questions_by_until ON questions (until);
CREATE TABLE questions_raised (
    context BYTEA PRIMARY KEY,
    least DOUBLE PRECISION NOT NULL,
    name TEXT NOT NULL,
    of TEXT NOT NULL,
    by TEXT NOT NULL,
    time DOUBLE PRECISION NOT NULL
)
