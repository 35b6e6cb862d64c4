package notify

import (
	"maps"
	"slices"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/googlechat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/mattermost"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/rocketchat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/slack"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/opsgenie"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/pagerduty"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/gotify"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ntfy"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/pushbullet"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/pushover"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/generic"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// services are those of the library that cost nothing before they are used.
// Its router links all of them, and two (zulip and teams) compile patterns at
// every start of the program, which is a fifth of all the time it takes; their
// webhooks are reached through generic.
func services() map[string]func() types.Service {
	return map[string]func() types.Service{
		"discord":    func() types.Service { return &discord.Service{} },
		"generic":    func() types.Service { return &generic.Service{} },
		"googlechat": func() types.Service { return &googlechat.Service{} },
		"gotify":     func() types.Service { return &gotify.Service{} },
		"mattermost": func() types.Service { return &mattermost.Service{} },
		"ntfy":       func() types.Service { return &ntfy.Service{} },
		"opsgenie":   func() types.Service { return &opsgenie.Service{} },
		"pagerduty":  func() types.Service { return &pagerduty.Service{} },
		"pushbullet": func() types.Service { return &pushbullet.Service{} },
		"pushover":   func() types.Service { return &pushover.Service{} },
		"rocketchat": func() types.Service { return &rocketchat.Service{} },
		"slack":      func() types.Service { return &slack.Service{} },
		"smtp":       func() types.Service { return &smtp.Service{} },
		"telegram":   func() types.Service { return &telegram.Service{} },
	}
}

func schemes() []string { return slices.Sorted(maps.Keys(services())) }
