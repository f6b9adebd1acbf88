"""Names and sentences of the demo world. Data only."""

FIRST = """ada amir anna arno aya ben bea boris carla chen cleo dana deniz diego dora edda eli elsa emil enzo
esra eva fadi fay felix fei gia gil greta guo hana hugo ida ilya ines iris ivo jana jin joao jona jude
kai kaya kim lars lea leo lina lola luca luz maja mara marc maya mei milo mina mira nadia nam nils nina
noor nora olga omar oren otto pia pola quinn rafa ravi rena rio rosa ruth sami sara seth sina sven tara
teo tess timo tove uma vera vito wen yara yuki yves zoe""".split()
LAST = """acorn alder amber anchor anvil apple arch ash aspen attic autumn badge bamboo barley basil bay beacon birch
bloom bolt branch brass breeze brick bridge brook cabin cable candle canyon cedar chalk cherry cinder cliff clover coast
cobalt comet copper coral cove crane creek crest cypress dawn delta dew dock drift dune dusk eagle echo elm ember fable
falcon fern field finch fjord flint flora foam fog forest fossil fox frost garden garnet ginger glade glass gorge grain
granite grove gull harbor hazel heath heron hill hollow holly honey horizon ink iris iron island ivory ivy jade jasper
juniper kestrel kite lagoon lake lantern lark laurel lava leaf ledge lemon light lilac lime linden lotus lunar lynx maple
marble marsh meadow mesa mint mist moon moor moss north nutmeg oak oasis ocean olive onyx opal orchid osprey otter owl
palm path peak pear pebble pepper pier pine plum pond poplar poppy prairie quartz quill rain raven reed reef ridge river
robin rowan ruby rush sable saffron sage sail salt sand satin shale shore silk silver sky slate snow sparrow spruce
star stone storm stream summit swan teal thistle thorn thunder tide timber topaz torch trail tulip tundra valley velvet
violet walnut water wave willow wind winter wolf wren yarrow zephyr""".split()
OPENINGS = """Shipped|Reading about|Still thinking about|Can anyone recommend|Just measured|Today I learned about|Walking past|
Finally fixed|Late night with|Slides are up on|Hot take on|Coffee and|Unpopular opinion on|Three years of|First look at|
Small joys:|Debugging|Question for those who run|Rewrote|Photos of""".replace("\n", "").split("|")
TOPICS = """consistent hashing|the night train|our cache|a queue that never drains|sourdough|group commit|the tide at noon|
clock skew|a patient code review|rain on the roof|the hundredth retry|fan-out at three in the morning|an honest benchmark|
old maps|a quiet on-call week|the last mile|back-pressure|tail latency|the second system|a good index|wild garlic|
idempotency keys|the long way home|leap seconds|a whiteboard full of arrows|yesterday's outage|bloom filters|tomatoes""".replace("\n", "").split("|")
TAGS = "ops databases caching weekend cooking trains hiking latency python gardening rain maps coffee oncall".split()
REPLIES = """Same here.|That matches what we saw.|Numbers or it did not happen!|How did you measure it?|Saved for later.|
I disagree, and here is why: it depends.|Beautiful.|We tried that in spring.|Which version?|Thank you for writing this down.|
It gets worse at scale.|Try it with half the load.""".replace("\n", "").split("|")
QUOTES = "This. Read it twice.|Adding to my list:|The best thing I read today.|Context for my talk:|So much this.".split("|")
