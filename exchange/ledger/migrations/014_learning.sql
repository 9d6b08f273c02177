-- What campaigns learned from the record. All of it follows from moments and transfers: delete a
-- campaign's rows, and it is learned anew.

-- Up to which moment a campaign has learned.
CREATE TABLE learning (
    campaign text PRIMARY KEY,
    serial   bigint NOT NULL
);

-- What became of an offer's posts that ended on a day; days are counted since 1970, in UTC.
CREATE TABLE offer_track (
    campaign text NOT NULL,
    offer    text NOT NULL,
    day      integer NOT NULL,
    posts    bigint NOT NULL,
    accepted bigint NOT NULL,
    returned bigint NOT NULL,
    PRIMARY KEY (campaign, offer, day)
);

-- Rankings by expected value, those apart that put another offer first than price would have.
CREATE TABLE expected_day (
    campaign text NOT NULL,
    day      integer NOT NULL,
    changed  boolean NOT NULL,
    leads    bigint NOT NULL,
    expected bigint NOT NULL,
    by_price bigint NOT NULL,
    realized bigint NOT NULL,
    PRIMARY KEY (campaign, day, changed)
);

-- Auctions under learned floors, by where the floor came from.
CREATE TABLE floor_day (
    campaign text NOT NULL,
    day      integer NOT NULL,
    model    text NOT NULL,
    auctions bigint NOT NULL,
    sold     bigint NOT NULL,
    revenue  bigint NOT NULL,
    PRIMARY KEY (campaign, day, model)
);

-- How many best and second best bids lay within which step, under floors of which step.
CREATE TABLE bid_seen (
    campaign   text NOT NULL,
    state      text NOT NULL,
    hours      text NOT NULL,
    period     integer NOT NULL,
    floor      smallint NOT NULL,
    bid        smallint NOT NULL,
    best       bigint NOT NULL,
    best_sum   bigint NOT NULL,
    second     bigint NOT NULL,
    second_sum bigint NOT NULL,
    PRIMARY KEY (campaign, state, hours, period, floor, bid)
);

CREATE TABLE learned_floor (
    campaign text NOT NULL,
    state    text NOT NULL,
    hours    text NOT NULL,
    floor    bigint NOT NULL,
    auctions bigint NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (campaign, state, hours)
);
