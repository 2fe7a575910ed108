CREATE TABLE fairness_runs (slot BIGINT PRIMARY KEY, time DOUBLE PRECISION NOT NULL);
CREATE TABLE fairness (
    time DOUBLE PRECISION NOT NULL,
    model TEXT NOT NULL,
    subject TEXT NOT NULL,
    dimension TEXT NOT NULL,
    who TEXT NOT NULL,
    probe $ASCII NOT NULL,
    request $ASCII NOT NULL,
    outcome TEXT NOT NULL,
    words BIGINT NOT NULL,
    tone DOUBLE PRECISION NOT NULL
);
CREATE INDEX fairness_by_time ON fairness (time);
