DROP INDEX requests_by_team;
DROP INDEX requests_by_application;
DROP INDEX requests_by_user;
DROP INDEX requests_by_end_user;
DROP INDEX requests_by_key;
DROP INDEX requests_by_model;
DROP INDEX requests_by_provider;
DROP INDEX requests_by_status;
DROP INDEX requests_by_error;
DROP INDEX requests_by_cost;
DROP INDEX requests_by_duration;
CREATE TABLE marks (
    mark $ASCII NOT NULL,
    newest DOUBLE PRECISION NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    oldest DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (mark, newest, first)
) $CLUSTERED;
CREATE TABLE blocks (
    part BIGINT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    newest DOUBLE PRECISION NOT NULL,
    oldest DOUBLE PRECISION NOT NULL
);
INSERT INTO blocks SELECT number / 1000, MIN(number), MAX(number), MAX(time), MIN(time) FROM requests GROUP BY number / 1000;
INSERT INTO marks SELECT DISTINCT found.mark, newest, first, last, oldest FROM (
    SELECT number, 'organisation=' || organisation AS mark FROM requests WHERE organisation IS NOT NULL
    UNION ALL SELECT number, 'team=' || team FROM requests WHERE team IS NOT NULL
    UNION ALL SELECT number, 'application=' || application FROM requests WHERE application IS NOT NULL
    UNION ALL SELECT number, 'user=' || "user" FROM requests WHERE "user" IS NOT NULL
    UNION ALL SELECT number, 'end_user=' || end_user FROM requests WHERE end_user IS NOT NULL
    UNION ALL SELECT number, 'key=' || "key" FROM requests WHERE "key" IS NOT NULL
    UNION ALL SELECT number, 'client=' || client FROM requests WHERE client IS NOT NULL
    UNION ALL SELECT number, 'model=' || model FROM requests WHERE model IS NOT NULL
    UNION ALL SELECT number, 'provider=' || provider FROM requests WHERE provider IS NOT NULL
    UNION ALL SELECT number, 'error=' || error FROM requests WHERE error IS NOT NULL
    UNION ALL SELECT number, 'status=' || (status / 100) FROM requests
    UNION ALL SELECT number, 'cost_size=' || cost_size FROM requests WHERE cost_size IS NOT NULL
    UNION ALL SELECT number, 'duration_size=' || duration_size FROM requests
    UNION ALL SELECT number, 'tag=' || tag FROM tags
) AS found JOIN blocks ON blocks.part = found.number / 1000;
DROP TABLE blocks
;
ALTER TABLE requests ADD COLUMN saved_routing BIGINT NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN retries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN wasted BIGINT NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN fingerprint TEXT;
ALTER TABLE requests ADD COLUMN prefix TEXT;
CREATE TABLE more (
    hour BIGINT NOT NULL,
    organisation TEXT NOT NULL,
    team TEXT NOT NULL,
    application TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    model TEXT NOT NULL,
    target TEXT NOT NULL,
    dialect TEXT NOT NULL,
    status TEXT NOT NULL,
    requests BIGINT NOT NULL,
    answered BIGINT NOT NULL,
    errors_gateway BIGINT NOT NULL,
    errors_provider BIGINT NOT NULL,
    input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    unpriced BIGINT NOT NULL,
    saved BIGINT NOT NULL,
    saved_routing BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    wasted BIGINT NOT NULL,
    duration BIGINT NOT NULL,
    first_tokens BIGINT NOT NULL,
    first_token BIGINT NOT NULL,
    PRIMARY KEY (hour, organisation, team, application, "user", "key", model, target, dialect, status)
) $CLUSTERED;
INSERT INTO more SELECT
    hour, organisation, team, application, "user", "key", model, target, '', '', requests, answered, errors_gateway,
    errors_provider, input, cache_read, cache_write, output, reasoning, cost, unpriced, saved, 0, 0, 0, duration,
    first_tokens, first_token
FROM sums;
DROP TABLE sums;
ALTER TABLE more RENAME TO sums;
CREATE TABLE spreads (
    hour BIGINT NOT NULL,
    team TEXT NOT NULL,
    model TEXT NOT NULL,
    target TEXT NOT NULL,
    bucket BIGINT NOT NULL,
    durations BIGINT NOT NULL,
    first_tokens BIGINT NOT NULL,
    PRIMARY KEY (hour, team, model, target, bucket)
) $CLUSTERED
