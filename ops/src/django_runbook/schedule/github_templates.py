"""The texts of the workflows, with gaps."""

INPUTS = {
    "dry-run": """
      dry-run:
        description: Only say what is due; change nothing
        type: boolean
        default: true""",
    "as-of": """
      as-of:
        description: Do what was due at this time, as in 2026-03-01T04:00Z (default is now)
        type: string""",
    "allow": """
      allow:
        description: Let a run pass that the limits refuse, of at most this many rows (with reason)
        type: number""",
    "reason": """
      reason:
        description: Why; it is kept in the ledger
        type: string""",
}
#: What ``overlap`` is to GitHub, where a run that waits costs nothing. With "skip" the ledger
#: leaves out the slot of one that has waited; a run by hand, which has none, is not lost.
ALONE = """ # one at a time; the others wait, and none is dropped
  group: "job @{job}"
  cancel-in-progress: false
  queue: max"""
BESIDE = """ # none waits: two runs at once share the rows
  group: "job @{job}, run ${{ github.run_id }}"
  cancel-in-progress: false"""
JOB = """\
# The job @{job}, started by GitHub's clock. Made by 'inv schedule.render' from
# [tool.django-runbook.jobs.@{job}] and [tool.django-runbook.schedule] of pyproject.toml: edit
# those, then render again. What stands between marked lines is yours and is kept; so is a newer
# commit of an action. All the rest is checked by its digest.
# digest: @{none}
name: "@{job}"

on:
  schedule:
@{triggers}
  workflow_dispatch:@{inputs}

permissions: {}

concurrency:@{concurrency}

defaults:
  run:
    shell: bash

jobs:
  run:
    name: Run
    if: github.repository == '@{repository}' && github.ref == '@{ref}'
    runs-on: "@{runner}"
    timeout-minutes: @{timeout} # the command ends by itself after @{limit}
    environment: # give it no required reviewers: a schedule would wait for them
      name: "@{environment}"
      deployment: false
    permissions:
      contents: read # to check out
    env:
      ENVIRONMENT: "@{environment}"
@{env}
    steps:
      - uses: @{checkout}
        with:
          persist-credentials: false
      - name: Set up
        # Without a cache: what another workflow put into one would run beside the secrets.
        run: @{command} --list > /dev/null
@{before}
      - name: Preflight
        env:
@{secrets}
        run: exec @{command} jobs.preflight @{job}
      - name: Run
        # exec: GitHub signals the shell alone when it cancels; so the command itself is signalled,
        # and stops between two batches.
        env:
@{given}@{all_secrets}
        run: |
@{script}
      - name: Summary
        if: always()
        run: exec @{command} jobs.summary "$RUNNER_TEMP/run.json" >> "$GITHUB_STEP_SUMMARY"
@{after}

  notify:
    name: Notify
    needs: run
    if: @{condition}
    runs-on: "@{runner}"
    timeout-minutes: 5
    permissions:
      issues: write # one issue for the job: opened, commented, closed
    steps:
      - name: Open, update or close the issue
        env:
          GH_TOKEN: ${{ github.token }}
          GH_REPO: ${{ github.repository }}
          TITLE: "The job @{job} needs a look"
          RESULT: ${{ needs.run.result }}
          RUN: ${{ github.server_url }}/${{ github.repository }}/actions/runs/${{ github.run_id }}
        run: |
          issue=$(gh issue list --limit 1000 --json number,title,author \\
            --jq 'map(select(.title == env.TITLE and .author.is_bot)) | .[0].number // empty')
          if [ "$RESULT" = success ]; then
            if [ -n "$issue" ]; then gh issue close "$issue" --comment "It is well again: $RUN"; fi
          elif [ -n "$issue" ]; then
            gh issue comment "$issue" --body "The same again ($RESULT): $RUN"
          else
            gh issue create --title "$TITLE" --body "A run came out as $RESULT: $RUN"
          fi
"""
STATUS = """\
# Are the jobs well? Asked at each push, so that a schedule that GitHub has switched off shows up.
# Made by 'inv schedule.render' from [tool.django-runbook.schedule] of pyproject.toml: edit that,
# and render again. What stands between marked lines is yours and is kept; so is a newer commit of
# an action. All the rest is checked by its digest.
# digest: @{none}
name: @{name}

on:
  push:
    branches: ["@{branch}"]
  workflow_dispatch:

permissions: {}

concurrency: # it only reads: the newest push counts
  group: @{name}
  cancel-in-progress: true

defaults:
  run:
    shell: bash

jobs:
  status:
    name: Status
    if: github.repository == '@{repository}' && github.ref == '@{ref}'
    runs-on: "@{runner}"
    timeout-minutes: 10
    environment:
      name: "@{environment}"
      deployment: false
    permissions:
      contents: read # to check out
    env:
      ENVIRONMENT: "@{environment}"
@{env}
    steps:
      - uses: @{checkout}
        with:
          persist-credentials: false
      - name: Set up
        # Without a cache: what another workflow put into one would run beside the secrets.
        run: @{command} --list > /dev/null
@{before}
      - name: Status
        env:
@{secrets}
        run: exec @{command} jobs.status
"""
