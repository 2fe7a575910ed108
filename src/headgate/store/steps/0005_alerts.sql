CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    state TEXT NOT NULL,
    severity TEXT NOT NULL,
    owner TEXT NOT NULL,
    began DOUBLE PRECISION NOT NULL,
    fired DOUBLE PRECISION,
    resolved DOUBLE PRECISION,
    checked DOUBLE PRECISION NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX alerts_by_state ON alerts (state, began);
CREATE INDEX alerts_by_time ON alerts (began, id);
CREATE INDEX alerts_by_end ON alerts (resolved) WHERE resolved IS NOT NULL;
CREATE TABLE alert_events (
    alert TEXT NOT NULL,
    time DOUBLE PRECISION NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX alert_events_by_alert ON alert_events (alert, time);
CREATE TABLE alert_notices (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    made DOUBLE PRECISION NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    beat BIGINT NOT NULL
)
