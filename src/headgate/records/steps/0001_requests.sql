CREATE TABLE requests (
    number $NUMBER PRIMARY KEY,
    id $ASCII NOT NULL,
    time DOUBLE PRECISION NOT NULL,
    duration BIGINT NOT NULL,
    first_token BIGINT,
    kind TEXT NOT NULL,
    organisation TEXT,
    team TEXT,
    application TEXT,
    "user" TEXT,
    end_user TEXT,
    "key" TEXT,
    client TEXT,
    dialect TEXT,
    path TEXT NOT NULL,
    model TEXT,
    target TEXT,
    provider TEXT,
    status BIGINT NOT NULL,
    ending TEXT NOT NULL,
    error TEXT,
    origin TEXT,
    stream BIGINT NOT NULL,
    input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost BIGINT,
    unpriced BIGINT NOT NULL,
    saved BIGINT NOT NULL,
    cost_size BIGINT,
    duration_size BIGINT NOT NULL
);
CREATE UNIQUE INDEX requests_by_id ON requests (id);
CREATE INDEX requests_by_time ON requests (time);
CREATE INDEX requests_by_team ON requests (team, time) WHERE team IS NOT NULL;
CREATE INDEX requests_by_application ON requests (application, time) WHERE application IS NOT NULL;
CREATE INDEX requests_by_user ON requests ("user", time) WHERE "user" IS NOT NULL;
CREATE INDEX requests_by_end_user ON requests (end_user, time) WHERE end_user IS NOT NULL;
CREATE INDEX requests_by_key ON requests ("key", time) WHERE "key" IS NOT NULL;
CREATE INDEX requests_by_model ON requests (model, time) WHERE model IS NOT NULL;
CREATE INDEX requests_by_provider ON requests (provider, time) WHERE provider IS NOT NULL;
CREATE INDEX requests_by_status ON requests ((status / 100), time);
CREATE INDEX requests_by_error ON requests (error, time) WHERE error IS NOT NULL;
CREATE INDEX requests_by_cost ON requests (cost_size, time) WHERE cost_size IS NOT NULL;
CREATE INDEX requests_by_duration ON requests (duration_size, time);
CREATE TABLE lines (number $NUMBER PRIMARY KEY, line TEXT NOT NULL);
CREATE TABLE tags (
    tag TEXT NOT NULL,
    time DOUBLE PRECISION NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (tag, time, number)
) $CLUSTERED;
CREATE TABLE drained (
    source TEXT NOT NULL,
    segment TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (source, segment)
);
CREATE TABLE sums (
    hour BIGINT NOT NULL,
    organisation TEXT NOT NULL,
    team TEXT NOT NULL,
    application TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    model TEXT NOT NULL,
    target TEXT NOT NULL,
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
    duration BIGINT NOT NULL,
    first_tokens BIGINT NOT NULL,
    first_token BIGINT NOT NULL,
    PRIMARY KEY (hour, organisation, team, application, "user", "key", model, target)
) $CLUSTERED
