package source

import (
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// typical is a pipeline of 40 lines.
var typical = []byte(strings.TrimLeft(`
# yaml-language-server: $schema=../../schema/pipeline.schema.json
version: 1
name: marketing-sync
system: github-actions
description: Posts the release note when the marketing-sync workflow did not.
category: marketing
enabled: true
primary:
  github-workflow:
    repository: acme/site
    workflow: marketing-sync.yml
mode: standby
grace: 30m
schedule:
  cron: "0 */12 * * *"
  timezone: Europe/Berlin
  dst: {gap: shift, fold: first}
  jitter: 30s
missed: run-once
concurrency: 1
timeout: 10m
retry: {attempts: 1}
env: {SITE_URL: https://example.com}
secrets: [LINKEDIN_ACCESS_TOKEN, LINKEDIN_URN]
steps:
  - id: compose
    name: Compose the text
    run: |
      node scripts/compose.js >> "$REDUND_OUTPUT"
  - id: linkedin
    needs: [compose]
    if: ${{ secrets.LINKEDIN_ACCESS_TOKEN != '' }}
    uses: http
    with:
      method: POST
      url: https://api.linkedin.com/v2/ugcPosts
      headers: {Authorization: "Bearer ${{ secrets.LINKEDIN_ACCESS_TOKEN }}"}
      json: {author: "${{ secrets.LINKEDIN_URN }}", text: "${{ steps.compose.outputs.text }}"}
    timeout: 30s
    continue-on-error: true
`, "\n"))

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := Parse("f.yaml", typical, Limits{}); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}

// BenchmarkNode is yaml.v3 alone, the floor of BenchmarkParse.
func BenchmarkNode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var n yaml.Node
		if err := yaml.Unmarshal(typical, &n); err != nil {
			b.Fatal(err)
		}
	}
}
