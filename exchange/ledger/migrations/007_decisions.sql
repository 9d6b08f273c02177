-- What was decided of a sale from outside its own post: by its buyer, or by an operator. The first
-- decision stands; the worker that has the lead hears of it and ends the sale by it.
CREATE TABLE decision (
    sale_id      uuid PRIMARY KEY,
    at           timestamptz NOT NULL,
    by           text NOT NULL,     -- buyer/acme, operator/night-desk
    accepted     boolean NOT NULL,
    reference    text,
    redirect_url text,
    note         text
);
