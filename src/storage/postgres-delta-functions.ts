/**
 * The functions that write and read objects of which some are stored as deltas (see `lines.ts`), and `commit_group_2`, which is
 * `commit_group` with them. What `writingFunctions` says of access, order and settings holds here too.
 *
 * An object's `base` is the hash of the object that it is a delta upon, and a delta's first byte is its place. A row that another stands
 * upon stays when its object is deleted, at the time `-infinity`, which hides it. All of this happens while the partition is locked.
 *
 * Rows are looked up one by one (LATERAL or EXISTS, which OFFSET 0 keeps apart): a plan that is made while the table is small, and kept, may
 * otherwise begin with all rows of the partition, and gets slower with each.
 *
 * `commit_group_2` is written out although it says much again: what a step of the schema made once is never edited with a later one.
 */
export function deltaFunctions(schema: string, { lockMs, renewMs }: { readonly lockMs: number; readonly renewMs: number }): string {
  const plan = "SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off";
  const settings = `SET search_path = pg_catalog, pg_temp SET lock_timeout = ${lockMs} ${plan}`;
  return `
-- Puts those objects of a write that are not there, and renews those that were put long ago or are hidden. Raises EM002 where one would
-- stand upon what is not there, or not at the place that its own place demands: places descend, so that nothing stands upon itself.
CREATE FUNCTION ${schema}.put_objects_2(_partition text, _objects jsonb, _bytes bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  _inserted bigint;
BEGIN
  INSERT INTO ${schema}.object (partition, hash, stored_at, data, base)
    SELECT _partition, decode(o.hash, 'hex'), clock_timestamp(), substr(_bytes, o.at + 1, o.size), decode(o.base, 'hex')
    FROM jsonb_to_recordset(_objects) AS o (hash text, at integer, size integer, base text)
    ON CONFLICT (partition, hash) DO NOTHING;
  GET DIAGNOSTICS _inserted = ROW_COUNT;
  IF _inserted < jsonb_array_length(_objects) THEN
    UPDATE ${schema}.object o SET stored_at = clock_timestamp()
    WHERE o.partition = _partition
      AND o.hash = ANY (ARRAY(SELECT decode(e->>'hash', 'hex') FROM jsonb_array_elements(_objects) e))
      AND o.stored_at <= clock_timestamp() - ${renewMs} * interval '1 millisecond';
  END IF;
  IF EXISTS (
    SELECT FROM jsonb_array_elements(_objects) e
    CROSS JOIN LATERAL (
      SELECT o.base, o.data FROM ${schema}.object o WHERE o.partition = _partition AND o.hash = decode(e->>'hash', 'hex') OFFSET 0
    ) o
    LEFT JOIN LATERAL (
      SELECT b.hash, b.base, b.data FROM ${schema}.object b WHERE b.partition = _partition AND b.hash = o.base OFFSET 0
    ) b ON true
    WHERE e ? 'base' AND o.base IS NOT NULL AND (get_byte(o.data, 0) & (get_byte(o.data, 0) - 1))
      IS DISTINCT FROM CASE WHEN b.hash IS NULL THEN NULL WHEN b.base IS NULL THEN 0 ELSE get_byte(b.data, 0) END
  ) THEN
    RAISE EXCEPTION 'an object would stand upon what is not there' USING ERRCODE = 'EM002';
  END IF;
END $$;

-- Deletes objects, and hides those that others stand upon until these are gone too.
CREATE FUNCTION ${schema}.delete_objects(_partition text, _hashes bytea[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  _bases bytea[];
BEGIN
  WITH gone AS (
    DELETE FROM ${schema}.object o WHERE o.partition = _partition AND o.hash = ANY (_hashes)
      AND NOT EXISTS (SELECT FROM ${schema}.object d WHERE d.partition = _partition AND d.base = o.hash OFFSET 0)
    RETURNING o.base
  ) SELECT array_agg(DISTINCT g.base) INTO _bases FROM gone g WHERE g.base IS NOT NULL;
  UPDATE ${schema}.object o SET stored_at = '-infinity'
    WHERE o.partition = _partition AND o.hash = ANY (_hashes) AND o.stored_at > '-infinity';
  -- As often as a chain is long.
  WHILE _bases IS NOT NULL LOOP
    WITH gone AS (
      DELETE FROM ${schema}.object o WHERE o.partition = _partition AND o.hash = ANY (_bases) AND o.stored_at = '-infinity'
        AND NOT EXISTS (SELECT FROM ${schema}.object d WHERE d.partition = _partition AND d.base = o.hash OFFSET 0)
      RETURNING o.base
    ) SELECT array_agg(DISTINCT g.base) INTO _bases FROM gone g WHERE g.base IS NOT NULL;
  END LOOP;
END $$;

-- The rows of these objects, and of all that they stand upon.
CREATE FUNCTION ${schema}.read_objects(_partition text, _hashes bytea[])
RETURNS TABLE (hash bytea, base bytea, data bytea, hidden boolean) LANGUAGE plpgsql STABLE ${settings} AS $$
BEGIN
  RETURN QUERY
    WITH RECURSIVE link (hash, base) AS (
      SELECT o.hash, o.base FROM ${schema}.object o WHERE o.partition = _partition AND o.hash = ANY (_hashes)
      UNION
      SELECT o.hash, o.base FROM link l CROSS JOIN LATERAL (
        SELECT o.hash, o.base FROM ${schema}.object o WHERE o.partition = _partition AND o.hash = l.base OFFSET 0
      ) o
    )
    SELECT o.hash, o.base, o.data, o.stored_at = '-infinity' FROM link l CROSS JOIN LATERAL (
      SELECT o.hash, o.base, o.data, o.stored_at FROM ${schema}.object o WHERE o.partition = _partition AND o.hash = l.hash OFFSET 0
    ) o;
END $$;

-- Applies the writes in order, in one transaction. For each: the revision that it led to, or -1 where it lost its checks.
-- _bytes holds the documents' texts and what is stored of the objects, at the places that the writes name.
CREATE FUNCTION ${schema}.commit_group_2(_ticket uuid, _writes jsonb, _bytes bytea) RETURNS bigint[] LANGUAGE plpgsql ${settings} AS $$
DECLARE
  _outcomes bigint[] := '{}';
  _write jsonb;
  _partition text;
  _revision bigint;
  _stored bigint;
BEGIN
  -- Acknowledged means durable, whatever the database's default is.
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  FOR _write IN SELECT e FROM jsonb_array_elements(_writes) e LOOP
    IF _partition IS DISTINCT FROM _write->>'partition' THEN
      IF _revision <> _stored THEN UPDATE ${schema}.partition p SET revision = _revision WHERE p.name = _partition; END IF;
      _partition := _write->>'partition';
      _stored := ${schema}.hold_partition(_partition);
      _revision := _stored;
      IF EXISTS (SELECT FROM ${schema}.fence f WHERE f.ticket = _ticket) THEN
        RAISE EXCEPTION 'given up by its sender' USING ERRCODE = 'EM001';
      END IF;
    END IF;
    IF _write ? 'checks' AND EXISTS (
      SELECT FROM jsonb_to_recordset(_write->'checks') AS c (key text, revision bigint)
      WHERE (SELECT d.revision FROM ${schema}.document d WHERE d.partition = _partition AND d.key = c.key) IS DISTINCT FROM c.revision
    ) THEN
      _outcomes := _outcomes || -1::bigint;
      CONTINUE;
    END IF;
    IF _write ? 'objects' THEN PERFORM ${schema}.put_objects_2(_partition, _write->'objects', _bytes); END IF;
    IF _write ? 'commit' THEN
      _revision := _revision + 1;
      IF _write ? 'puts' THEN
        INSERT INTO ${schema}.document (partition, key, revision, value)
          SELECT _partition, d.key, _revision, convert_from(substr(_bytes, d.at + 1, d.size), 'UTF8')
          FROM jsonb_to_recordset(_write->'puts') AS d (key text, at integer, size integer)
          ON CONFLICT (partition, key) DO UPDATE SET revision = excluded.revision, value = excluded.value;
      END IF;
      IF _write ? 'deletes' THEN
        DELETE FROM ${schema}.document d
        WHERE d.partition = _partition AND d.key = ANY (ARRAY(SELECT jsonb_array_elements_text(_write->'deletes')));
      END IF;
      IF _write ? 'objectDeletes' THEN
        PERFORM ${schema}.delete_objects(
          _partition, ARRAY(SELECT decode(h, 'hex') FROM jsonb_array_elements_text(_write->'objectDeletes') h));
      END IF;
    END IF;
    _outcomes := _outcomes || _revision;
  END LOOP;
  IF _revision <> _stored THEN UPDATE ${schema}.partition p SET revision = _revision WHERE p.name = _partition; END IF;
  RETURN _outcomes;
END $$;
`;
}
