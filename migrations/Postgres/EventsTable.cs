namespace Oriva.Realtime.Migrations.Postgres;

/// <summary>The log's table, one partition a day (UTC). EF Core's model knows its columns; that it is partitioned, only this.</summary>
internal static class EventsTable
{
    public const string Create = """
        CREATE TABLE realtime.events (
            stream text COLLATE "C" NOT NULL,
            position bigint NOT NULL,
            recorded_at timestamp with time zone NOT NULL,
            id text COLLATE "C" NOT NULL,
            source text COLLATE "C" NOT NULL,
            app text COLLATE "C" NOT NULL,
            type text COLLATE "C" NOT NULL,
            user_id text COLLATE "C",
            topic text COLLATE "C",
            actor text COLLATE "C" NOT NULL,
            time timestamp with time zone NOT NULL,
            data json NOT NULL,
            metadata json,
            CONSTRAINT pk_events PRIMARY KEY (stream, position, recorded_at)
        ) PARTITION BY RANGE (recorded_at);
        """;

    /// <summary>
    /// The service may not create or drop tables. These two run as their owner and do only this for it. A day is attached and not created in place,
    /// because that lets inserts and reads go on; dropping one needs the table alone for a moment, and gives up rather than queue everybody behind it.
    /// </summary>
    public const string Days = """
        CREATE FUNCTION realtime.prepare_days(first_day date, last_day date) RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            day date;
            partition text;
            made integer := 0;
        BEGIN
            PERFORM pg_advisory_xact_lock(7305417020242);
            FOR day IN SELECT generate_series(first_day, last_day, interval '1 day')::date LOOP
                partition := 'events_' || to_char(day, 'YYYYMMDD');
                IF to_regclass('realtime.' || partition) IS NULL THEN
                    EXECUTE format('CREATE TABLE realtime.%I (LIKE realtime.events INCLUDING ALL)', partition);
                    EXECUTE format('ALTER TABLE realtime.events ATTACH PARTITION realtime.%I FOR VALUES FROM (%L) TO (%L)',
                        partition, to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
                    made := made + 1;
                END IF;
            END LOOP;
            RETURN made;
        END $$;

        -- Drops the oldest day before the cutoff. False: there is none, another node is at it, or the table was busy.
        CREATE FUNCTION realtime.drop_days_before(cutoff date) RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
        DECLARE
            oldest text;
        BEGIN
            IF NOT pg_try_advisory_xact_lock(7305417020242) THEN
                RETURN false;
            END IF;
            SELECT min(child.relname COLLATE "C") INTO oldest
            FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
            WHERE inhparent = 'realtime.events'::regclass AND child.relname COLLATE "C" < 'events_' || to_char(cutoff, 'YYYYMMDD');
            IF oldest IS NULL THEN
                RETURN false;
            END IF;
            EXECUTE format('DROP TABLE realtime.%I', oldest);
            RETURN true;
        EXCEPTION
            WHEN lock_not_available THEN RETURN false;
        END $$;

        REVOKE ALL ON FUNCTION realtime.prepare_days(date, date), realtime.drop_days_before(date) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION realtime.prepare_days(date, date), realtime.drop_days_before(date) TO oriva_service;
        """;
}
