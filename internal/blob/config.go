package blob

import "github.com/heliograph/heliograph/internal/arr"

// Config says which storage conversions may use. The zero value allows Azure Blob storage by shared access signature, and
// nothing else.
type Config struct {
	Azure Azure `yaml:"azure"`
	S3    S3    `yaml:"s3"`
	GCS   GCS   `yaml:"gcs"`
	Local Local `yaml:"local"`

	Reserved []Reservation `yaml:"reserved"`
}

// Reservation leaves storage that needs no signature to some accounts of the service. What no reservation names is open to
// all of them.
type Reservation struct {
	URI      string   `yaml:"uri"`      // of a container, of a linked Azure account, or of a directory: what is below is meant, too
	Accounts []string `yaml:"accounts"` // ids of accounts of the service
}

// Azure is Azure Blob storage, and what speaks its protocol.
type Azure struct {
	Accounts     []AzureAccount `yaml:"accounts"`     // linked accounts, and accounts at other endpoints
	HostSuffixes []string       `yaml:"hostSuffixes"` // ACCOUNT + one of these may be named by clients; empty = DefaultAzureSuffixes
}

// AzureAccount is a storage account that clients may use without a signature, by Key or Identity; with neither, it only
// says that the account's endpoint may be named.
type AzureAccount struct {
	Name     string     `yaml:"name"`
	Endpoint string     `yaml:"endpoint"` // as http://127.0.0.1:10000/devstoreaccount1; "" = https://NAME.blob.core.windows.net
	Key      arr.Secret `yaml:"key"`      // shared key in base64
	Identity bool       `yaml:"identity"` // the identity that this service runs as (environment, workload or managed identity, az login)
}

// S3 is Amazon S3, and what speaks its protocol.
type S3 struct {
	Buckets         []string   `yaml:"buckets"`   // that clients may name; "*" = all that the credentials open; empty = none
	Endpoint        string     `yaml:"endpoint"`  // "" = Amazon's
	Region          string     `yaml:"region"`    // "" = from the environment
	PathStyle       bool       `yaml:"pathStyle"` // the bucket is in the path, not in the host name
	AccessKeyID     string     `yaml:"accessKeyID"`
	SecretAccessKey arr.Secret `yaml:"secretAccessKey"` // "" = credentials from the environment
	SessionToken    arr.Secret `yaml:"sessionToken"`
}

// GCS is Google Cloud Storage. Its credentials are the application default credentials.
type GCS struct {
	Buckets   []string `yaml:"buckets"`   // that clients may name; "*" = all that the credentials open; empty = none
	Endpoint  string   `yaml:"endpoint"`  // "" = Google's
	Anonymous bool     `yaml:"anonymous"` // without credentials, for emulators
}

// Local is the file system of this machine.
type Local struct {
	Roots []string `yaml:"roots"` // directories, below which a container may lie; links out of them are not followed
}

// DefaultAzureSuffixes are the host names of Azure's clouds (public, US government, China) and of its DNS zones.
func DefaultAzureSuffixes() []string {
	return []string{".blob.core.windows.net", ".blob.core.usgovcloudapi.net", ".blob.core.chinacloudapi.cn", ".blob.storage.azure.net"}
}
