ALTER TABLE objects ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
UPDATE objects SET place = (
    SELECT COUNT(*) FROM objects AS others
    WHERE others.created < objects.created
        OR (others.created = objects.created AND (others.kind < objects.kind
            OR (others.kind = objects.kind AND others.name <= objects.name)))
);
CREATE INDEX objects_by_place ON objects (place)
