-- Proofs of members' misbehaviour, in the order in which they came. They are kept for ever: so many for each member.
CREATE TABLE evidence (
    number BIGINT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- One record of a kind is enough for a slot: kind and header without its body's hash.
    slot TEXT NOT NULL UNIQUE,
    epoch BIGINT NOT NULL,
    member BIGINT NOT NULL,
    round BIGINT NOT NULL,
    kind TEXT NOT NULL,
    offence TEXT NOT NULL,
    evidence BYTEA NOT NULL,
    source TEXT NOT NULL,
    received_at_ms BIGINT NOT NULL
);
CREATE INDEX evidence_by_member ON evidence (epoch, member, kind);
