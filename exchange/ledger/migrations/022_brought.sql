-- What one seller brought, or what came into one campaign, is counted anew from these alone: whom it
-- is counted for is closed meanwhile, and a pilot or a total counts since ever (recount.sql).
CREATE INDEX lead_of_seller ON lead (seller, received_at) INCLUDE (source, test);
CREATE INDEX lead_of_campaign ON lead (campaign, received_at) INCLUDE (source, test);
CREATE INDEX submission_of_seller ON submission (seller, received_at) INCLUDE (source, test);
CREATE INDEX submission_of_campaign ON submission (campaign, received_at) INCLUDE (source, test);
