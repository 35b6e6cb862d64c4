package config

import "github.com/redundctl/redundctl/engine/config/settings"

// Config is redund.yaml with its environment applied and its defaults filled
// in.
type Config = settings.Config
