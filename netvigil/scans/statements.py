"""The statements of one site scan's run: hundreds begin and end in a second, so each is plain SQL and does much.

Those that write check the attempt or the state, so that a worker whose run was taken over changes nothing.
"""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, JSONB

PEEK = text("""
SELECT p.scan_id, p.organisation_id, p.site_id, p.site_name, p.state, p.attempt, p.targets, p.vantage, p.held_back_at,
       p.exclusions, s.state AS scan_state, s.stop_requested_at, site.networks,
       site.maintenance_windows <> '[]' OR coalesce(plan.maintenance_windows, '[]') <> '[]' AS windowed
FROM site_scan p JOIN scan s ON s.id = p.scan_id
LEFT JOIN scan_schedule plan ON plan.id = s.schedule_id
LEFT JOIN site ON site.organisation_id = p.organisation_id AND site.id = p.site_id
WHERE p.id = :id""").columns(targets=ARRAY(CIDR), networks=ARRAY(CIDR))
# In one statement what nearly every run finds: nothing stands in its way. Else `begin` asks why.
TAKE_FREE = text("""
WITH taken AS (
  UPDATE site_scan p SET attempt = p.attempt + 1, state = 'running', held_back_at = NULL,
    unreached_since = NULL, started_at = coalesce(p.started_at, clock_timestamp())
  FROM scan s, site
  WHERE p.id = :id AND p.state IN ('pending', 'running') AND p.attempt < :attempts_max
    AND s.id = p.scan_id AND s.state IN ('pending', 'running') AND s.stop_requested_at IS NULL
    AND site.organisation_id = p.organisation_id AND site.id = p.site_id AND site.maintenance_windows = '[]'
    AND NOT EXISTS (SELECT FROM unnest(p.targets) AS target WHERE NOT target <<= ANY (site.networks))
    AND NOT EXISTS (SELECT FROM scan_schedule plan WHERE plan.id = s.schedule_id AND plan.maintenance_windows <> '[]')
  RETURNING p.*, s.state AS scan_state),
told AS (
  INSERT INTO scan_event (scan_id, site_id, kind, message)
  SELECT scan_id, site_id, 'site_started', site_name || ': ' ||
    CASE WHEN attempt > 1 THEN 'goes on after an interruption.' ELSE 'begins.' END FROM taken)
SELECT scan_id, organisation_id, site_id, site_name, attempt, targets, vantage, exclusions, scan_state FROM taken""").columns(
    targets=ARRAY(CIDR)
)
# A statement of its own, for a scan is always locked before its sites; a worker that dies before it leaves it to the next.
MOVE_SCAN = text("UPDATE scan SET state = 'running' WHERE id = :scan_id AND state = 'pending' RETURNING id")
TAKE = text("""
WITH taken AS (
  UPDATE site_scan p SET attempt = p.attempt + 1, state = 'running', held_back_at = NULL,
    unreached_since = NULL, started_at = coalesce(p.started_at, clock_timestamp())
  FROM scan s
  WHERE p.id = :id AND p.state IN ('pending', 'running') AND s.id = p.scan_id AND s.stop_requested_at IS NULL
    AND s.state IN ('pending', 'running')
  RETURNING p.scan_id, p.site_id, p.site_name, p.attempt),
moved AS (
  UPDATE scan SET state = 'running'
  WHERE id IN (SELECT scan_id FROM taken) AND state = 'pending'),
told AS (
  INSERT INTO scan_event (scan_id, site_id, kind, message)
  SELECT scan_id, site_id, 'site_started', site_name || ': ' ||
    CASE WHEN attempt > 1 THEN 'goes on after an interruption.' ELSE 'begins.' END FROM taken)
SELECT attempt FROM taken""")
LOCK_SCAN = text("SELECT FROM scan WHERE id = :scan_id FOR NO KEY UPDATE")
END = text("""
WITH ended AS (
  UPDATE site_scan SET state = CAST(:state AS text), failure = :failure, error = :error, limitations = :limitations,
    finished_at = clock_timestamp(), percent = CASE WHEN CAST(:state AS text) = 'scanned' THEN 100 ELSE percent END
  WHERE id = :id AND attempt = :attempt AND state = 'running'
  RETURNING scan_id, site_id, hosts_done),
told AS (
  INSERT INTO scan_event (scan_id, site_id, kind, message)
  SELECT scan_id, site_id, :kind, left(CAST(:before AS text) || coalesce(hosts_done || CAST(:after AS text), ''), 2000) FROM ended),
seen AS (
  UPDATE site SET online = CAST(:online AS boolean),
    last_seen_at = CASE WHEN CAST(:online AS boolean) THEN now() ELSE last_seen_at END
  WHERE organisation_id = :organisation_id AND id = :site_id AND CAST(:online AS boolean) IS NOT NULL
    AND EXISTS (SELECT FROM ended))
SELECT count(*) AS ended FROM ended""").bindparams(bindparam("limitations", type_=JSONB))
IS_DONE = text("""
SELECT id FROM scan WHERE id = :scan_id AND state IN ('pending', 'running')
  AND NOT EXISTS (SELECT FROM site_scan WHERE scan_id = scan.id AND state IN ('pending', 'running'))""")
CLEAR_HOST = text("""
WITH ours AS (
  SELECT id FROM site_scan WHERE id = :id AND attempt = :attempt AND state = 'running'
  FOR NO KEY UPDATE),
gone AS (DELETE FROM host WHERE site_scan_id IN (SELECT id FROM ours) AND address = CAST(:address AS inet)
  RETURNING identified)
SELECT (SELECT count(*) FROM ours), EXISTS (SELECT FROM gone WHERE identified)""")
COUNT_HOST = text("""
WITH told AS (
  INSERT INTO scan_event (scan_id, site_id, kind, message)
  SELECT CAST(:scan_id AS uuid), CAST(:site_id AS uuid), 'host_recorded', left(CAST(:message AS text), 2000)
  WHERE CAST(:identified AS boolean))
UPDATE site_scan SET hosts_done = hosts_done + CAST(:more AS int),
  hosts_total = greatest(hosts_total, hosts_done + CAST(:more AS int))
WHERE id = :id""")
