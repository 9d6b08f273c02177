-- What waits longest, and what failed, are found without going through what was delivered.
CREATE INDEX message_waiting ON message (at) WHERE state = 'waiting';
CREATE INDEX message_failed ON message (at DESC, id DESC) WHERE state = 'failed';
CREATE INDEX message_of_recipient ON message (recipient, at DESC, id DESC);
