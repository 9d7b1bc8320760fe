// A Terraform provider that knows the schema of another and nothing else: it reads the schema from a file, and plans what is asked for.
// With it the real Terraform validates and plans a configuration where the real provider cannot be had. It creates nothing.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"regexp"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type attribute struct {
	Name     string          `json:"name"`
	Type     json.RawMessage `json:"type"`
	Required bool            `json:"required"`
	Optional bool            `json:"optional"`
	Computed bool            `json:"computed"`
}

type nested struct {
	Name    string `json:"name"`
	Nesting string `json:"nesting"`
	Min     int64  `json:"min"`
	Max     int64  `json:"max"`
	Block   block  `json:"block"`
}

type block struct {
	Attributes []attribute `json:"attributes"`
	Blocks     []nested    `json:"blocks"`
}

type schemaFile struct {
	Provider  block            `json:"provider"`
	Resources map[string]block `json:"resources"`
	Data      map[string]block `json:"data"`
	// Computed attributes that follow from arguments: type, attribute, a text with {argument} in it.
	Known map[string]map[string]string `json:"known"`
}

var nestings = map[string]tfprotov5.SchemaNestedBlockNestingMode{
	"list":   tfprotov5.SchemaNestedBlockNestingModeList,
	"set":    tfprotov5.SchemaNestedBlockNestingModeSet,
	"single": tfprotov5.SchemaNestedBlockNestingModeSingle,
}

func (b block) schema() *tfprotov5.SchemaBlock {
	made := &tfprotov5.SchemaBlock{}
	for _, a := range b.Attributes {
		kind, err := tftypes.ParseJSONType(a.Type) //nolint:staticcheck // the only reader of its notation
		if err != nil {
			log.Fatalf("%s: %v", a.Name, err)
		}
		made.Attributes = append(made.Attributes, &tfprotov5.SchemaAttribute{
			Name: a.Name, Type: kind, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
		})
	}
	for _, n := range b.Blocks {
		made.BlockTypes = append(made.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: n.Name, Nesting: nestings[n.Nesting], MinItems: n.Min, MaxItems: n.Max, Block: n.Block.schema(),
		})
	}
	return made
}

type provider struct {
	file      schemaFile
	provider  *tfprotov5.Schema
	resources map[string]*tfprotov5.Schema
	data      map[string]*tfprotov5.Schema
	project   string
}

func schemas(blocks map[string]block) map[string]*tfprotov5.Schema {
	made := map[string]*tfprotov5.Schema{}
	for name, b := range blocks {
		made[name] = &tfprotov5.Schema{Block: b.schema()}
	}
	return made
}

func (p *provider) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	return &tfprotov5.GetMetadataResponse{}, nil
}

func (p *provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return &tfprotov5.GetProviderSchemaResponse{Provider: p.provider, ResourceSchemas: p.resources, DataSourceSchemas: p.data}, nil
}

func (p *provider) PrepareProviderConfig(_ context.Context, asked *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: asked.Config}, nil
}

func (p *provider) ConfigureProvider(_ context.Context, asked *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	given, err := values(asked.Config, p.provider)
	if err != nil {
		return nil, err
	}
	p.project = text(given["project"])
	return &tfprotov5.ConfigureProviderResponse{}, nil
}

func (p *provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

func (p *provider) ValidateResourceTypeConfig(context.Context, *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

func (p *provider) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

func (p *provider) UpgradeResourceState(context.Context, *tfprotov5.UpgradeResourceStateRequest) (*tfprotov5.UpgradeResourceStateResponse, error) {
	return nil, fmt.Errorf("this provider keeps nothing")
}

func (p *provider) ReadResource(_ context.Context, asked *tfprotov5.ReadResourceRequest) (*tfprotov5.ReadResourceResponse, error) {
	return &tfprotov5.ReadResourceResponse{NewState: asked.CurrentState}, nil
}

func (p *provider) PlanResourceChange(_ context.Context, asked *tfprotov5.PlanResourceChangeRequest) (*tfprotov5.PlanResourceChangeResponse, error) {
	planned, err := p.filled(asked.ProposedNewState, p.resources[asked.TypeName], asked.TypeName, true)
	if err != nil {
		return nil, err
	}
	return &tfprotov5.PlanResourceChangeResponse{PlannedState: planned, UnsafeToUseLegacyTypeSystem: true}, nil
}

func (p *provider) ApplyResourceChange(context.Context, *tfprotov5.ApplyResourceChangeRequest) (*tfprotov5.ApplyResourceChangeResponse, error) {
	return nil, fmt.Errorf("this provider creates nothing")
}

func (p *provider) ImportResourceState(context.Context, *tfprotov5.ImportResourceStateRequest) (*tfprotov5.ImportResourceStateResponse, error) {
	return nil, fmt.Errorf("this provider imports nothing")
}

func (p *provider) MoveResourceState(context.Context, *tfprotov5.MoveResourceStateRequest) (*tfprotov5.MoveResourceStateResponse, error) {
	return nil, fmt.Errorf("this provider moves nothing")
}

func (p *provider) ReadDataSource(_ context.Context, asked *tfprotov5.ReadDataSourceRequest) (*tfprotov5.ReadDataSourceResponse, error) {
	state, err := p.filled(asked.Config, p.data[asked.TypeName], "data."+asked.TypeName, false)
	if err != nil {
		return nil, err
	}
	return &tfprotov5.ReadDataSourceResponse{State: state}, nil
}

func (p *provider) CallFunction(context.Context, *tfprotov5.CallFunctionRequest) (*tfprotov5.CallFunctionResponse, error) {
	return nil, fmt.Errorf("this provider has no functions")
}

func (p *provider) GetFunctions(context.Context, *tfprotov5.GetFunctionsRequest) (*tfprotov5.GetFunctionsResponse, error) {
	return &tfprotov5.GetFunctionsResponse{}, nil
}

func values(given *tfprotov5.DynamicValue, schema *tfprotov5.Schema) (map[string]tftypes.Value, error) {
	value, err := given.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	fields := map[string]tftypes.Value{}
	if value.IsNull() {
		return fields, nil
	}
	return fields, value.As(&fields)
}

func text(value tftypes.Value) string {
	var found string
	if value.Type() == nil || !value.Type().Is(tftypes.String) || !value.IsFullyKnown() || value.IsNull() || value.As(&found) != nil {
		return ""
	}
	return found
}

var argument = regexp.MustCompile(`\{(\w+)\}`)

// Computed attributes that are not set: what is known of them, else unknown (when planning) or null.
func (p *provider) filled(given *tfprotov5.DynamicValue, schema *tfprotov5.Schema, name string, planning bool) (*tfprotov5.DynamicValue, error) {
	kind := schema.ValueType()
	fields, err := values(given, schema)
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return given, nil
	}
	for _, a := range schema.Block.Attributes {
		if !a.Computed || !fields[a.Name].IsNull() {
			continue
		}
		if a.Name == "project" && p.project != "" {
			fields[a.Name] = tftypes.NewValue(tftypes.String, p.project)
		} else if planning && a.Type.Is(tftypes.DynamicPseudoType) {
			fields[a.Name] = tftypes.NewValue(a.Type, tftypes.UnknownValue)
		} else if planning {
			fields[a.Name] = tftypes.NewValue(a.Type, tftypes.UnknownValue)
		}
	}
	for attribute, template := range p.file.Known[name] {
		whole := true
		made := argument.ReplaceAllStringFunc(template, func(found string) string {
			value := text(fields[found[1:len(found)-1]])
			whole = whole && value != ""
			return value
		})
		if whole {
			fields[attribute] = tftypes.NewValue(tftypes.String, made)
		}
	}
	filled, err := tfprotov5.NewDynamicValue(kind, tftypes.NewValue(kind, fields))
	return &filled, err
}

func main() {
	content, err := os.ReadFile(os.Getenv("SCHEMA_FILE"))
	if err != nil {
		log.Fatal(err)
	}
	made := &provider{}
	if err := json.Unmarshal(content, &made.file); err != nil {
		log.Fatal(err)
	}
	made.provider = &tfprotov5.Schema{Block: made.file.Provider.schema()}
	made.resources, made.data = schemas(made.file.Resources), schemas(made.file.Data)
	err = tf5server.Serve("registry.terraform.io/hashicorp/google", func() tfprotov5.ProviderServer { return made })
	if err != nil {
		log.Fatal(err)
	}
}
