-- How buyers are called and sellers are heard that speak a format of their own: objects of the
-- market as all others.

ALTER TABLE market_object DROP CONSTRAINT market_object_kind_check;
ALTER TABLE market_object ADD CONSTRAINT market_object_kind_check
    CHECK (kind IN ('vertical', 'seller', 'mapping', 'door', 'buyer', 'offer', 'campaign'));
