-- One text for SQLite and PostgreSQL: only TEXT, BIGINT and BYTEA. Times are Unix milliseconds.

-- One row for each stored round. attestation is the binary form without observations; bytes is what the round takes
-- in all tables together, for the disk bound.
CREATE TABLE rounds (
    round BIGINT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    attestation BYTEA NOT NULL,
    bytes BIGINT NOT NULL
);
CREATE INDEX rounds_by_time ON rounds (timestamp_ms, round);

-- The leaves of every stored round, readable by SQL. Prices are decimal text, null where the feed was unavailable.
CREATE TABLE prices (
    feed TEXT NOT NULL,
    round BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    price TEXT,
    low TEXT,
    high TEXT,
    status BIGINT NOT NULL,
    observed_at_ms BIGINT NOT NULL,
    observers BIGINT NOT NULL,
    PRIMARY KEY (feed, round)
);
CREATE INDEX prices_by_round ON prices (round);

-- The binary form of a round's attestation with its observations.
CREATE TABLE observations (
    round BIGINT NOT NULL PRIMARY KEY,
    attestation BYTEA NOT NULL
);

-- For each feed and UTC day (Unix days), the rounds with the lowest and the highest price. Retention keeps them.
CREATE TABLE extremes (
    feed TEXT NOT NULL,
    day BIGINT NOT NULL,
    low TEXT NOT NULL,
    low_round BIGINT NOT NULL,
    high TEXT NOT NULL,
    high_round BIGINT NOT NULL,
    PRIMARY KEY (day, feed)
);
CREATE INDEX extremes_by_low ON extremes (low_round);
CREATE INDEX extremes_by_high ON extremes (high_round);

-- Ranges of rounds that no source has.
CREATE TABLE missed (
    first BIGINT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);

-- Two validly signed statements for one round: it must never happen, and it is kept for ever when it does.
CREATE TABLE equivocations (
    round BIGINT NOT NULL,
    digest TEXT NOT NULL,
    attestation BYTEA NOT NULL,
    source TEXT NOT NULL,
    seen_at_ms BIGINT NOT NULL,
    PRIMARY KEY (round, digest)
);

-- Small facts: thinned_to (the round up to which retention has gone), network_id.
CREATE TABLE facts (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
