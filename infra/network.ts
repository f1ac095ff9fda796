import { GatewayVpcEndpointAwsService, type IVpc, SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'

/**
 * Public subnets without a NAT gateway: tasks have an address of their own to reach Postgres, the model bucket
 * and webhook receivers, and nothing can open a connection to them.
 */
export class Network extends Construct {
  readonly vpc: IVpc
  /** For tasks that only call out. */
  readonly outboundOnly: SecurityGroup

  constructor(scope: Construct, id: string) {
    super(scope, id)
    // The library's classes and interfaces disagree under exactOptionalPropertyTypes; hence "as".
    this.vpc = new Vpc(this, 'Vpc', {
      maxAzs: 2,
      natGateways: 0,
      subnetConfiguration: [{ name: 'public', subnetType: SubnetType.PUBLIC }],
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    }) as IVpc
    this.outboundOnly = new SecurityGroup(this, 'OutboundOnly', {
      vpc: this.vpc,
      description: 'Tasks that call out and are never called',
      allowAllOutbound: true,
    })
  }
}
