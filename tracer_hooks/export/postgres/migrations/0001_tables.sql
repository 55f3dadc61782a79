-- The tables of the store (docs/store.md says what their columns mean), and beside them what was found
-- out about each attempt. Durations _s are seconds, sizes _bytes bytes. Null: not measured.
-- A row of an attempt is told from another's by run_id and spool.

CREATE TABLE runs (
    run_id text PRIMARY KEY,
    pipeline text,
    engine text,
    engine_version text,
    started_at timestamptz,
    ended_at timestamptz,
    wall_s double precision,
    status text,
    host text,
    "user" text,
    workdir text,
    command text,
    tags jsonb,
    total_tasks bigint,
    task_count bigint,
    attempt_count bigint,
    failed_count bigint,
    cpu_s double precision,
    hosts bigint
);

CREATE TABLE tasks (
    run_id text NOT NULL,
    pipeline text,
    engine text,
    step text,
    task_id text,
    task_name text,
    attempt integer,
    sample text,
    tags jsonb,
    host text,
    "user" text,
    workdir text,
    command text,
    container_image text,
    container_id text,
    cpus_requested double precision,
    memory_requested_bytes bigint,
    time_requested_s double precision,
    disk_requested_bytes bigint,
    submitted_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    wall_s double precision,
    status text,
    exit_code integer,
    signal integer,
    failure_cause text,
    cpu_user_s double precision,
    cpu_system_s double precision,
    cpu_s double precision,
    cpu_unattributed_s double precision,
    wall_cpu_s double precision,
    wall_runnable_s double precision,
    wall_disk_s double precision,
    wall_network_s double precision,
    wall_idle_s double precision,
    memory_peak_bytes bigint,
    memory_mean_bytes bigint,
    memory_source text,
    disk_read_bytes bigint,
    disk_write_bytes bigint,
    io_read_chars bigint,
    io_write_chars bigint,
    network_rx_bytes bigint,
    network_tx_bytes bigint,
    network_source text,
    process_count bigint,
    process_count_source text,
    short_process_count bigint,
    threads_peak bigint,
    major_faults bigint,
    voluntary_switches bigint,
    involuntary_switches bigint,
    input_bytes bigint,
    output_bytes bigint,
    capture text,
    reading_count bigint,
    events_lost bigint,
    observer_cpu_s double precision,
    observer_memory_bytes bigint,
    spool text NOT NULL,
    PRIMARY KEY (run_id, spool)
);

CREATE TABLE processes (
    run_id text NOT NULL,
    task_id text,
    attempt integer,
    process_id integer,
    parent_id integer,
    pid integer,
    parent_pid integer,
    tool text,
    comm text,
    exe text,
    argv text[],
    argv_source text,
    forked boolean,
    started_at timestamptz,
    ended_at timestamptz,
    exit_code integer,
    signal integer,
    cpu_user_s double precision,
    cpu_system_s double precision,
    cpu_s double precision,
    cpu_source text,
    memory_peak_bytes bigint,
    disk_read_bytes bigint,
    disk_write_bytes bigint,
    io_read_chars bigint,
    io_write_chars bigint,
    network_rx_bytes bigint,
    network_tx_bytes bigint,
    threads_peak integer,
    source text,
    spool text NOT NULL
);

CREATE TABLE tools (
    run_id text NOT NULL,
    task_id text,
    attempt integer,
    tool text,
    count bigint,
    short_count bigint,
    folded_count bigint,
    cpu_s double precision,
    wall_s double precision,
    memory_peak_bytes bigint,
    disk_read_bytes bigint,
    disk_write_bytes bigint,
    source text,
    spool text NOT NULL
);

CREATE TABLE readings (
    run_id text NOT NULL,
    task_id text,
    attempt integer,
    process_id integer,
    at timestamptz,
    elapsed_s double precision,
    cpu_user_s double precision,
    cpu_system_s double precision,
    cpu_s double precision,
    wall_cpu_s double precision,
    wall_runnable_s double precision,
    wall_disk_s double precision,
    wall_network_s double precision,
    wall_idle_s double precision,
    memory_bytes bigint,
    disk_read_bytes bigint,
    disk_write_bytes bigint,
    io_read_chars bigint,
    io_write_chars bigint,
    network_rx_bytes bigint,
    network_tx_bytes bigint,
    processes integer,
    threads integer,
    spool text NOT NULL
);

CREATE TABLE hosts (
    run_id text NOT NULL,
    host text,
    at timestamptz,
    cpu_count integer,
    cpu_user_s double precision,
    cpu_system_s double precision,
    cpu_idle_s double precision,
    cpu_iowait_s double precision,
    cpu_steal_s double precision,
    load_1m double precision,
    memory_total_bytes bigint,
    memory_available_bytes bigint,
    swap_used_bytes bigint,
    disk_read_bytes bigint,
    disk_write_bytes bigint,
    network_rx_bytes bigint,
    network_tx_bytes bigint,
    forks bigint,
    processes_running bigint,
    processes_blocked bigint,
    spool text NOT NULL
);

CREATE TABLE events (
    run_id text NOT NULL,
    task_id text,
    attempt integer,
    process_id integer,
    at timestamptz,
    kind text,
    detail text,
    spool text NOT NULL
);

-- What held an attempt back (docs/verdicts.md).
CREATE TABLE verdicts (
    run_id text NOT NULL,
    spool text NOT NULL,
    task_id text,
    attempt integer,
    label text,
    confidence double precision,
    evidence jsonb,
    advice text,
    PRIMARY KEY (run_id, spool)
);

-- What an attempt cost (docs/cost.md). Null: no price is known.
CREATE TABLE costs (
    run_id text NOT NULL,
    spool text NOT NULL,
    task_id text,
    attempt integer,
    allocated double precision,
    useful double precision,
    headroom double precision,
    over_requested double precision,
    unmeasured double precision,
    failed double precision,
    cpu_hours double precision,
    memory_gib_hours double precision,
    currency text,
    PRIMARY KEY (run_id, spool)
);

CREATE TABLE tool_costs (
    run_id text NOT NULL,
    tool text NOT NULL,
    allocated double precision,
    useful double precision,
    headroom double precision,
    over_requested double precision,
    unmeasured double precision,
    failed double precision,
    currency text,
    PRIMARY KEY (run_id, tool)
);

-- basis: which prices these are, so that other prices are noticed.
CREATE TABLE run_costs (
    run_id text PRIMARY KEY,
    allocated double precision,
    useful double precision,
    headroom double precision,
    over_requested double precision,
    unmeasured double precision,
    failed double precision,
    host_cost double precision,
    idle double precision,
    unpriced_share double precision,
    currency text,
    price_source text,
    price_as_of text,
    method text,
    margin double precision,
    basis text
);

CREATE INDEX ON runs (started_at);
CREATE INDEX ON runs (pipeline, started_at);
CREATE INDEX ON tasks (started_at);
CREATE INDEX ON tasks (pipeline, step);
CREATE INDEX ON processes (run_id, spool);
CREATE INDEX ON tools (run_id, spool);
CREATE INDEX ON readings (run_id, spool);
CREATE INDEX ON hosts (run_id, host, at);
CREATE INDEX ON events (run_id, spool);

-- Everything about an attempt in one row; last_attempt: it decides the status of its task.
CREATE VIEW attempts AS
SELECT
    tasks.*,
    row_number() OVER (
        PARTITION BY tasks.run_id, tasks.task_id
        ORDER BY tasks.attempt DESC NULLS LAST, tasks.started_at DESC NULLS LAST, tasks.spool DESC
    ) = 1 AS last_attempt,
    tasks.cpu_s / nullif(tasks.wall_s, 0) AS cores_mean,
    verdicts.label AS verdict,
    verdicts.confidence AS verdict_confidence,
    verdicts.advice,
    costs.allocated,
    costs.useful,
    costs.headroom,
    costs.over_requested,
    costs.unmeasured,
    costs.failed AS failed_cost,
    costs.currency
FROM tasks
LEFT JOIN verdicts USING (run_id, spool)
LEFT JOIN costs USING (run_id, spool);
