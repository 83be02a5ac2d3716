/**
 * The functions that write, in PL/pgSQL. `schema` is checked and needs no quotes.
 *
 * - Every access is by primary key. The planner, who has seen the tables empty, is kept from any other plan.
 * - Writes come ordered by partition, so that all senders lock the partitions' rows in one order and never deadlock.
 * - Nothing but the transaction's own settings is set: a pooler may stand in between.
 */
export function writingFunctions(schema: string, { lockMs, renewMs }: { readonly lockMs: number; readonly renewMs: number }): string {
  const settings = `SET search_path = pg_catalog, pg_temp SET lock_timeout = ${lockMs} SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off`;
  return `
-- Locks a partition until the transaction ends, and answers its revision.
CREATE FUNCTION ${schema}.hold_partition(_name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  _revision bigint;
BEGIN
  SELECT p.revision INTO _revision FROM ${schema}.partition p WHERE p.name = _name FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO ${schema}.partition (name, revision) VALUES (_name, 0) ON CONFLICT (name) DO NOTHING;
    SELECT p.revision INTO STRICT _revision FROM ${schema}.partition p WHERE p.name = _name FOR UPDATE;
  END IF;
  RETURN _revision;
END $$;

-- Puts those objects of a write that are not there, and renews those that were put long ago.
CREATE FUNCTION ${schema}.put_objects(_partition text, _objects jsonb, _bytes bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  _inserted bigint;
BEGIN
  INSERT INTO ${schema}.object (partition, hash, stored_at, data)
    SELECT _partition, decode(o.hash, 'hex'), clock_timestamp(), substr(_bytes, o.at + 1, o.size)
    FROM jsonb_to_recordset(_objects) AS o (hash text, at integer, size integer)
    ON CONFLICT (partition, hash) DO NOTHING;
  GET DIAGNOSTICS _inserted = ROW_COUNT;
  IF _inserted < jsonb_array_length(_objects) THEN
    UPDATE ${schema}.object o SET stored_at = clock_timestamp()
    WHERE o.partition = _partition
      AND o.hash = ANY (ARRAY(SELECT decode(e->>'hash', 'hex') FROM jsonb_array_elements(_objects) e))
      AND o.stored_at <= clock_timestamp() - ${renewMs} * interval '1 millisecond';
  END IF;
END $$;

-- Applies the writes in order, in one transaction. For each: the revision that it led to, or -1 where it lost its checks.
-- _bytes holds the documents' texts and the objects' bytes, at the places that the writes name.
CREATE FUNCTION ${schema}.commit_group(_ticket uuid, _writes jsonb, _bytes bytea) RETURNS bigint[] LANGUAGE plpgsql ${settings} AS $$
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
    IF _write ? 'objects' THEN PERFORM ${schema}.put_objects(_partition, _write->'objects', _bytes); END IF;
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
        DELETE FROM ${schema}.object o WHERE o.partition = _partition
          AND o.hash = ANY (ARRAY(SELECT decode(h, 'hex') FROM jsonb_array_elements_text(_write->'objectDeletes') h));
      END IF;
    END IF;
    _outcomes := _outcomes || _revision;
  END LOOP;
  IF _revision <> _stored THEN UPDATE ${schema}.partition p SET revision = _revision WHERE p.name = _partition; END IF;
  RETURN _outcomes;
END $$;

-- Makes sure that a group whose answer never came has either happened by now, or never will: whoever holds its partitions is waited
-- for, and whoever has yet to take them finds the fence.
CREATE FUNCTION ${schema}.raise_fence(_ticket uuid, _partitions text[]) RETURNS void LANGUAGE plpgsql ${settings} AS $$
DECLARE
  _partition text;
BEGIN
  FOREACH _partition IN ARRAY _partitions LOOP PERFORM ${schema}.hold_partition(_partition); END LOOP;
  DELETE FROM ${schema}.fence f WHERE f.raised_at < clock_timestamp() - interval '7 days';
  INSERT INTO ${schema}.fence (ticket, raised_at) VALUES (_ticket, clock_timestamp()) ON CONFLICT (ticket) DO NOTHING;
END $$;
`;
}
